"""What a deployment consists of: functions, schema, crons, HTTP actions."""
