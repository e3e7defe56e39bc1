"""How beats are judged: likelihood, a judge, copying and genre, each beside its human control.

`likelihood` counts a model's surprise in bits, `judge` asks whether a classifier can tell
generated beats from human ones, `copying` whether bars were learnt by heart, `genre` whether the
asked genre is heard; `evaluation` does all of it and `report` makes a page of the result. Models
enter as beats or as a callable: nothing here knows one.
"""
