"""What ``make bench`` measures: one module per subject, each with a function ``measure``."""
