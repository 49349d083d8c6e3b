import { NoSuchPage } from "../components/NoSuchPage";
import { PageHead } from "../components/PageHead";

export function NotFoundPage() {
    return (
        <>
            <PageHead title="Page not found" />
            <NoSuchPage />
        </>
    );
}
