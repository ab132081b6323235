"""Helpers that other packages' tests import; our own tests are not installed."""
