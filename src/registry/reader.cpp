#include "registry/reader.hpp"

#include <deque>

#include "registry/rows.hpp"
#include "registry/validate.hpp"

namespace token_auth::registry {
namespace {

// A SELECT put together from conditions, every value of which is bound. Its rows come a few at a
// time: SQLite gives them so by itself, PostgreSQL from a cursor.
class Selection {
  public:
    explicit Selection(soci::session& session)
        : session_(session),
          by_cursor_(session.get_backend_name() == "postgresql"),
          question_(session),
          rows_(session) {}
    ~Selection() {
        if (open_) {
            try {
                session_ << "CLOSE selection";
            } catch (...) {
                // The transaction has failed, and ends with its cursors.
            }
        }
    }
    Selection(const Selection&) = delete;
    Selection& operator=(const Selection&) = delete;

    void where(const std::string& condition, const char* name, const std::string& value) {
        if (!value.empty()) {
            add(condition);
            texts_.push_back(value);
            question().exchange(soci::use(texts_.back(), name));
        }
    }

    void where(const std::string& condition, const char* name, std::int64_t value) {
        if (value != 0) {
            add(condition);
            number(name, value);
        }
    }

    void number(const char* name, std::int64_t value) {
        numbers_.push_back(value);
        question().exchange(soci::use(numbers_.back(), name));
    }

    const std::string& conditions() const { return conditions_; }

    // What the rows are fetched into is bound to this one.
    soci::statement& rows() { return rows_; }

    void run(const std::string& sql) {
        if (by_cursor_) {
            begin(question_, "DECLARE selection NO SCROLL CURSOR FOR " + sql);
            question_.execute(true);
            open_ = true;
        }
        begin(rows_, by_cursor_ ? "FETCH 1000 FROM selection" : sql);
        rows_.execute();
    }

    bool fetch() {
        if (rows_.fetch()) {
            some_ = true;
            return true;
        }
        if (!by_cursor_ || !some_) {
            return false;
        }
        rows_.execute();
        some_ = rows_.fetch();
        return some_;
    }

  private:
    // The statement that takes the values.
    soci::statement& question() { return by_cursor_ ? question_ : rows_; }

    void add(const std::string& condition) {
        conditions_ += (conditions_.empty() ? " WHERE " : " AND ") + condition;
    }

    static void begin(soci::statement& statement, const std::string& sql) {
        statement.alloc();
        statement.prepare(sql);
        statement.define_and_bind();
    }

    soci::session& session_;
    bool by_cursor_;
    bool open_ = false;
    bool some_ = false;  // the last batch had rows
    soci::statement question_;
    soci::statement rows_;
    std::string conditions_;
    std::deque<std::string> texts_;  // a deque: bound values must not move
    std::deque<long long> numbers_;
};

void add_conditions(Selection& selection, const TokenFilter& filter) {
    selection.where("t.organization = :org", "org", filter.organization);
    selection.where("t.group_id = :grp", "grp", filter.group);
    selection.where("t.user_id = :usr", "usr", filter.user);
    selection.where("t.role = :role", "role", filter.role);
    selection.where("t.kind = :kind", "kind", filter.kind);
    selection.where("t.expires_at > :after", "after", filter.expires_after);
    selection.where("t.expires_at <= :until", "until", filter.expires_until);
}

}  // namespace

Status status_of(const TokenView& view, std::int64_t now) {
    const Token& token = view.token;
    if (token.revoked != 0) {
        return Status::revoked;
    }
    if (token.user_disabled) {
        return Status::disabled;
    }
    if (token.expires != 0 && token.expires <= now) {
        return Status::expired;
    }
    if (token.not_before > now) {
        return Status::pending;
    }
    return view.organization_suspended ? Status::suspended : Status::active;
}

std::string status_name(Status status) {
    return status_names[static_cast<std::size_t>(status)];
}

Reader::Reader(soci::session& session)
    : sql_(session),
      role_(session, "SELECT scopes FROM roles WHERE id = :id"),
      organization_(session, "SELECT suspended, created_at FROM organizations WHERE id = :id"),
      group_(session, "SELECT created_at FROM org_groups WHERE organization = :org AND id = :id"),
      user_(session, "SELECT technical, disabled, created_at FROM users WHERE id = :id"),
      membership_(session,
                  "SELECT role, created_at FROM memberships "
                  "WHERE user_id = :usr AND organization = :org"),
      token_of_digest_(session, "SELECT id FROM tokens WHERE digest = :digest") {}

std::optional<Role> Reader::role(const std::string& id) {
    if (!role_.find(id)) {
        return std::nullopt;
    }
    return Role{id, canonical(split_words(role_.get<0>()))};
}

std::optional<Organization> Reader::organization(const std::string& id) {
    if (!organization_.find(id)) {
        return std::nullopt;
    }
    return Organization{id, organization_.get<0>() != 0, organization_.get<1>()};
}

std::optional<Group> Reader::group(const std::string& organization, const std::string& id) {
    if (!group_.find(organization, id)) {
        return std::nullopt;
    }
    return Group{organization, id, group_.get<0>()};
}

std::optional<User> Reader::user(const std::string& id) {
    if (!user_.find(id)) {
        return std::nullopt;
    }
    return User{id, user_.get<0>() != 0, user_.get<1>() != 0, user_.get<2>()};
}

std::optional<Membership> Reader::membership(const std::string& user,
                                             const std::string& organization) {
    if (!membership_.find(user, organization)) {
        return std::nullopt;
    }
    return Membership{user, organization, membership_.get<0>(), membership_.get<1>()};
}

std::optional<TokenView> Reader::token(const std::string& id) {
    if (!token_) {
        token_.emplace(sql_);
        bind_into(*token_, token_row_);
        token_->exchange(soci::use(token_id_));
        token_->alloc();
        token_->prepare(std::string(select_token_rows) + " WHERE t.id = :id");
        token_->define_and_bind();
    }
    token_id_ = id;
    if (!token_->execute(true)) {
        return std::nullopt;
    }
    return TokenView{registry::token_of(token_row_), token_row_.organization_suspended != 0};
}

std::optional<std::string> Reader::token_of_digest(const Digest& digest) {
    if (!token_of_digest_.find(to_hex(digest))) {
        return std::nullopt;
    }
    return token_of_digest_.get<0>();
}

void Reader::roles(const std::function<void(const Role&)>& each) {
    std::string id;
    std::string scopes;
    soci::statement statement = (sql_.prepare << "SELECT id, scopes FROM roles ORDER BY id",
                                 soci::into(id), soci::into(scopes));
    statement.execute();
    while (statement.fetch()) {
        each({id, canonical(split_words(scopes))});
    }
}

void Reader::organizations(const std::function<void(const Organization&)>& each) {
    std::string id;
    int suspended = 0;
    long long created = 0;
    soci::statement statement =
        (sql_.prepare << "SELECT id, suspended, created_at FROM organizations ORDER BY id",
         soci::into(id), soci::into(suspended), soci::into(created));
    statement.execute();
    while (statement.fetch()) {
        each({id, suspended != 0, created});
    }
}

void Reader::groups(const std::string& organization,
                    const std::function<void(const Group&)>& each) {
    std::string of;
    std::string id;
    long long created = 0;
    Selection selection(sql_);
    soci::statement& statement = selection.rows();
    statement.exchange(soci::into(of));
    statement.exchange(soci::into(id));
    statement.exchange(soci::into(created));
    selection.where("organization = :org", "org", organization);
    selection.run("SELECT organization, id, created_at FROM org_groups" + selection.conditions() +
                  " ORDER BY organization, id");
    while (selection.fetch()) {
        each({of, id, created});
    }
}

void Reader::users(const std::function<void(const User&)>& each) {
    std::string id;
    int technical = 0;
    int disabled = 0;
    long long created = 0;
    Selection selection(sql_);
    soci::statement& statement = selection.rows();
    statement.exchange(soci::into(id));
    statement.exchange(soci::into(technical));
    statement.exchange(soci::into(disabled));
    statement.exchange(soci::into(created));
    selection.run("SELECT id, technical, disabled, created_at FROM users ORDER BY id");
    while (selection.fetch()) {
        each({id, technical != 0, disabled != 0, created});
    }
}

void Reader::memberships(const std::string& user, const std::string& organization,
                         const std::function<void(const Membership&)>& each) {
    std::string member;
    std::string of;
    std::string role;
    long long created = 0;
    Selection selection(sql_);
    soci::statement& statement = selection.rows();
    statement.exchange(soci::into(member));
    statement.exchange(soci::into(of));
    statement.exchange(soci::into(role));
    statement.exchange(soci::into(created));
    selection.where("user_id = :usr", "usr", user);
    selection.where("organization = :org", "org", organization);
    selection.run("SELECT user_id, organization, role, created_at FROM memberships" +
                  selection.conditions() + " ORDER BY user_id, organization");
    while (selection.fetch()) {
        each({member, of, role, created});
    }
}

void Reader::tokens(const TokenFilter& filter, const std::function<void(const TokenView&)>& each) {
    TokenRow row;
    Selection selection(sql_);
    bind_into(selection.rows(), row);
    add_conditions(selection, filter);
    selection.run(select_token_rows + selection.conditions() + " ORDER BY t.id");
    while (selection.fetch()) {
        each({token_of(row), row.organization_suspended != 0});
    }
}

void Reader::audit(const AuditFilter& filter, const std::function<void(const AuditRow&)>& each) {
    long long seq = 0;
    long long at = 0;
    AuditRow row;
    Selection selection(sql_);
    soci::statement& statement = selection.rows();
    statement.exchange(soci::into(seq));
    statement.exchange(soci::into(at));
    statement.exchange(soci::into(row.actor));
    statement.exchange(soci::into(row.action));
    statement.exchange(soci::into(row.entity));
    statement.exchange(soci::into(row.key));
    statement.exchange(soci::into(row.detail));
    selection.where("at >= :since", "since", filter.since);
    selection.where("entity = :entity", "entity", filter.entity);
    selection.where("key = :key", "key", filter.key);
    std::string latest =
        "SELECT seq, at, actor, action, entity, key, detail FROM audit" + selection.conditions();
    if (filter.limit != 0) {
        latest += " ORDER BY seq DESC LIMIT :limit";
        selection.number("limit", static_cast<std::int64_t>(filter.limit));
    }
    selection.run("SELECT * FROM (" + latest + ") AS latest ORDER BY seq");
    while (selection.fetch()) {
        row.seq = seq;
        row.at = at;
        each(row);
    }
}

std::uint64_t Reader::count_tokens(const TokenFilter& filter) {
    long long count = 0;
    Selection selection(sql_);
    selection.rows().exchange(soci::into(count));
    add_conditions(selection, filter);
    selection.run("SELECT COUNT(*) FROM tokens t" + selection.conditions());
    selection.fetch();
    return static_cast<std::uint64_t>(count);
}

std::uint64_t Reader::count_memberships_with_role(const std::string& role) {
    long long count = 0;
    sql_ << "SELECT COUNT(*) FROM memberships WHERE role = :role", soci::use(role),
        soci::into(count);
    return static_cast<std::uint64_t>(count);
}

std::optional<std::string> Reader::idle_technical_user() {
    std::string id;
    sql_ << "SELECT id FROM users u WHERE technical = 1 AND NOT EXISTS "
            "(SELECT 1 FROM tokens t WHERE t.user_id = u.id) ORDER BY id LIMIT 1",
        soci::into(id);
    if (!sql_.got_data()) {
        return std::nullopt;
    }
    return id;
}

}  // namespace token_auth::registry
