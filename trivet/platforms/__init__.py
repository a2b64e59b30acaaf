"""The platforms, one package per cloud with the same file names in each; what all of them share lies beside."""
