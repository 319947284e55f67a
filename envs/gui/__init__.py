"""Graphical user interfaces: web pages in a real Chromium, driven through Playwright."""
