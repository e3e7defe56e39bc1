"""The jam: a performance that never repeats, made phrase by phrase, steered by faders and pads."""
