package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/host"
)

// ruleNames completes the name of a rule in a shell: of those named by --rule, or
// of the app.
func ruleNames(r *reach, rules *[]string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := *rules
		if len(names) == 0 {
			names = []string{filepath.Join(r.app, "rules")}
		}
		files, err := ruleFiles(names)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return namesIn(files, prefix), cobra.ShellCompDirectiveNoFileComp
	}
}

// maxCompleted bounds the names that a shell is given.
const maxCompleted = 1000

func namesIn(files []host.RuleFile, prefix string) (found []string) {
	for _, f := range files {
		for rule, err := range (syntax.Source{File: f.Name, Line: 1, Text: f.Text}).Rules() {
			if err == nil && strings.HasPrefix(rule.Name, prefix) {
				found = append(found, rule.Name)
			}
			if len(found) >= maxCompleted {
				return found
			}
		}
	}
	return found
}

// rules gives the names of an app's rules that begin with prefix.
func (r *reach) rules(prefix string) []string {
	files, err := ruleFiles([]string{filepath.Join(r.app, "rules")})
	if err != nil {
		return nil
	}
	return namesIn(files, prefix)
}

// fixedWords completes a flag that takes one of a few words.
func fixedWords(cmd *cobra.Command, flag string, words ...string) {
	completeFlag(cmd, flag, func([]string, string) []string { return words })
}

// completeFlag completes a flag with words, of which it is given the beginning.
func completeFlag(cmd *cobra.Command, flag string, words func(args []string, prefix string) []string) {
	complete := func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return words(args, prefix), cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag does not exist
	}
}

// folderArgs completes arguments that are folders, at most n of them.
func folderArgs(n int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
}
