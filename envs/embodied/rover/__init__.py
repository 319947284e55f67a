"""A mobile robot that looks around in rooms with walls."""
