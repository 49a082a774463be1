"""Runs functions."""
