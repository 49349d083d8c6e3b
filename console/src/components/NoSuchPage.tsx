import { Empty } from "./Empty";

export function NoSuchPage() {
    return (
        <Empty icon="search" title="There is no such page">
            <p>
                Or you may not see it. <a href="/account/tokens">Go to your tokens</a>
            </p>
        </Empty>
    );
}
