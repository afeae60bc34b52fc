"""Modules beside a script."""
