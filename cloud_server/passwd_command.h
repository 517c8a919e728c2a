#pragma once

namespace atalaya::cloud_server {

// `cloud_server passwd FILE USER [--delete]`: adds a user to a password file, changes their
// password, or deletes them. The password is asked for twice on a terminal, without echo; elsewhere
// it is the first line of stdin. `argv[0]` is "passwd". Returns the exit code and prints why where
// it is not 0: 2 for what was asked wrongly, 1 where the file cannot be read or written.
int RunPasswdCommand(int argc, const char* const* argv);

}  // namespace atalaya::cloud_server
