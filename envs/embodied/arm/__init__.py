"""A table, an arm with a parallel gripper, and tasks for it; one task a file."""
