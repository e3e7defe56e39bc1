"""Digital DJ's engine: music in, music out. It knows no screen and imports no heavy package
until one is needed."""
