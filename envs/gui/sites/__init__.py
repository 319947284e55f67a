"""Small sites of our own, each a document with its own state, and the tasks on them."""
