"""How beats are judged: likelihood, a classifier as judge, copying, genre."""
