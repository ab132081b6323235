"""Compiled loops of the CPU backend. Each function returns None (or False) for arrays it does not cover."""
