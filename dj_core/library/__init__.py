"""The DJ's folder: corpora and models by name, the crate, past takes, training jobs."""
