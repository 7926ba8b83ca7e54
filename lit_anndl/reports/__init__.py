"""Published numbers beside measured ones: from data to pages."""
