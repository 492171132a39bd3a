def report(run, plot_file): return ""
