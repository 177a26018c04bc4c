"""`docs/quality.md` and the generated parts of `docs/models.md`: how good the models are, measured and shown."""
