"""What Roomwire costs, and what a deployment needs: measured, fitted, checked, planned (`make capacity`)."""
