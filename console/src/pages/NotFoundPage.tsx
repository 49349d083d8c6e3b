import { Empty } from "../components/Empty";
import { PageHead } from "../components/PageHead";

export function NotFoundPage() {
    return (
        <>
            <PageHead title="Page not found" />
            <Empty icon="search" title="There is no such page">
                <p>
                    Or you may not see it. <a href="/account/tokens">Go to your tokens</a>
                </p>
            </Empty>
        </>
    );
}
