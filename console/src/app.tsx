import { Redirect, Route, Switch } from "wouter-preact";
import { Shell } from "./components/Shell";
import { AccountPage } from "./pages/AccountPage";
import { LogInPage } from "./pages/LogInPage";
import { NotFoundPage } from "./pages/NotFoundPage";
import { TokensPage } from "./pages/TokensPage";
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
            <Route path="/organizations/:organization/tokens">
                {({ organization }) => (
                    <TokensPage key={organization} home={{ organization, group: null }} />
                )}
            </Route>
            <Route path="/organizations/:organization/groups/:group/tokens">
                {({ organization, group }) => (
                    <TokensPage key={`${organization}/${group}`} home={{ organization, group }} />
                )}
            </Route>
            <Route component={NotFoundPage} />
        </Switch>
    );
}
