package eventlog

// LockFolder takes a folder for this process, by the file "lock" in it, as Open
// does a log's. unlock gives it back. The error is a *LockedError when somebody
// else has it.
func LockFolder(dir, owner string) (unlock func() error, err error) {
	f, err := lockDir(dir, owner)
	if err != nil {
		return nil, err
	}
	return f.Close, nil
}
