"""How good samples and codes are, whatever model they are of: one scale for exercises of all sessions."""
