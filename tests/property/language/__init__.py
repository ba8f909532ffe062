"""The compiled language held against a plain second opinion."""
