"""The infrastructure, as AWS CDK constructs."""
