"""Tokenizers: music to integers and back."""
