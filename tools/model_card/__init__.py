"""Generator of `docs/quality.md` and of the generated parts of `docs/models.md`: scores, comparisons and charts."""
