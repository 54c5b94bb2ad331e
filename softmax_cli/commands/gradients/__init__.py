"""One run of gradcheck: the gradients it checks, and its reports."""
