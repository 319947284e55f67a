"""Generated questions: seeded families, each a class of a few lines, with levels and balanced answers."""
