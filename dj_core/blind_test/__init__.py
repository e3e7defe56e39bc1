"""The blind test: a person's beat beside a model's, and what judgements of many pairs say."""
