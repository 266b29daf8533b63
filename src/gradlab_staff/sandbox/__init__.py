"""A host of its own for each submission: started under bubblewrap, held to its limits, talked to."""
