"""Session 3: deep feature learning."""
