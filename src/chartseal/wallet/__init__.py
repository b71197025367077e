"""A patient's wallet: records found by announcements, checked, kept encrypted, shown and erased."""
