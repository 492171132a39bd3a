def plot(run, paths): pass
