"""Models that write note after note: the paper's networks, those it cites, and our own."""
