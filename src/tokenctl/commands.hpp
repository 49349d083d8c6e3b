// The commands of tokenctl: each function adds its own to the program. `context` outlives it.
#pragma once

#include "cli/command.hpp"
#include "tokenctl/context.hpp"

namespace token_auth::tokenctl {

void add_audit(cli::Command root, Context& context);
void add_create(cli::Command root, Context& context);
void add_delete(cli::Command root, Context& context);
void add_group(cli::Command root, Context& context);
void add_hosts(cli::Command root, Context& context);
void add_import_export(cli::Command root, Context& context);
void add_init(cli::Command root, Context& context);
void add_list(cli::Command root, Context& context);
void add_member(cli::Command root, Context& context);
void add_migrate(cli::Command root, Context& context);
void add_org(cli::Command root, Context& context);
void add_revoke_restore(cli::Command root, Context& context);
void add_role(cli::Command root, Context& context);
void add_rotate(cli::Command root, Context& context);
void add_scope(cli::Command root, Context& context);
void add_show(cli::Command root, Context& context);
void add_user(cli::Command root, Context& context);
void add_user_password(cli::Command user, Context& context);

}  // namespace token_auth::tokenctl
