"""Sets: beats in an order, with a tempo plan, an energy curve and transitions to mix in."""
