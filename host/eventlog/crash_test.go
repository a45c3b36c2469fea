package eventlog_test

const childEnv = "RHOST_EVENTLOG_CHILD"

func child(dir string) int { return 0 }
