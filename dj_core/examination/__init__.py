"""A model examined: it plays what held-out drummers played, and every figure has its control.

`reference` finds the human material, `surprise` asks the model how likely that is, `examining`
lets it play and measures, `figures` is the one table of names under which figures are quoted.
"""
