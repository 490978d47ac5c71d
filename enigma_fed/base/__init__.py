"""Ground floor: errors, identifiers, clock, limits, back-off, tasks, logging."""
