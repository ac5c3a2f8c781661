"""One module for each screen. `base` is what they share, `catalogue` names the main ones."""
