"""How one photo shows what another one shows: key points and the geometry between two photos."""
