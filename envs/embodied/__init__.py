"""Embodied tasks: MuJoCo worlds with a language goal."""
