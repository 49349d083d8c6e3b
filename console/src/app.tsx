import { Redirect, Route, Switch } from "wouter-preact";
import { Shell } from "./components/Shell";
import { AccountPage } from "./pages/AccountPage";
import { AuditPage } from "./pages/AuditPage";
import { GroupsPage } from "./pages/GroupsPage";
import { LogInPage } from "./pages/LogInPage";
import { MembersPage } from "./pages/MembersPage";
import { NotFoundPage } from "./pages/NotFoundPage";
import { SettingsPage } from "./pages/SettingsPage";
import { TokensPage } from "./pages/TokensPage";
import { OrganizationsPage } from "./pages/admin/OrganizationsPage";
import { RolesPage } from "./pages/admin/RolesPage";
import { ScopesPage } from "./pages/admin/ScopesPage";
import { UsersPage } from "./pages/admin/UsersPage";
import type { Place } from "./rights";
import { SessionProvider } from "./session";

export function App() {
    return (
        <Switch>
            <Route path="/login" component={LogInPage} />
            <Route>
                <SessionProvider>
                    <Shell>
                        <Pages />
                    </Shell>
                </SessionProvider>
            </Route>
        </Switch>
    );
}

// A page that shows a place has it as its key: of another place, nothing stays.
function Pages() {
    return (
        <Switch>
            <Route path="/">
                <Redirect to="/account/tokens" replace />
            </Route>
            <Route path="/account" component={AccountPage} />
            <Route path="/account/tokens">
                <TokensPage key="me" home={null} />
            </Route>
            <Route path="/organizations/:organization/:page">
                {({ organization, page }) => (
                    <OrganizationPage key={organization} place={{ organization, group: null }} page={page} />
                )}
            </Route>
            <Route path="/organizations/:organization/groups/:group/:page">
                {({ organization, group, page }) => (
                    <OrganizationPage key={`${organization}/${group}`} place={{ organization, group }} page={page} />
                )}
            </Route>
            <Route path="/admin/organizations" component={OrganizationsPage} />
            <Route path="/admin/users" component={UsersPage} />
            <Route path="/admin/roles" component={RolesPage} />
            <Route path="/admin/scopes" component={ScopesPage} />
            <Route path="/admin/audit">
                <AuditPage key="" organization={null} />
            </Route>
            <Route component={NotFoundPage} />
        </Switch>
    );
}

function OrganizationPage({ place, page }: { place: Place; page: string }) {
    if (page === "tokens") {
        return <TokensPage home={place} />;
    }
    if (page === "members") {
        return <MembersPage place={place} />;
    }
    if (place.group === null) {
        switch (page) {
            case "groups":
                return <GroupsPage organization={place.organization} />;
            case "audit":
                return <AuditPage organization={place.organization} />;
            case "settings":
                return <SettingsPage organization={place.organization} />;
        }
    }
    return <NotFoundPage />;
}
