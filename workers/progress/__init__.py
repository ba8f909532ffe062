"""What may be committed, where reading starts and how much may be taken. Pure."""
