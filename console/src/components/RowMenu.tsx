import { Icon } from "./Icon";
import { Menu, type Item } from "./Menu";

// What can be done with a row of a table.
export function RowMenu({ name, items }: { name: string; items: Item[] }) {
    return items.length === 0 ? null : (
        <Menu class="icon-button" label={`Actions for ${name}`} items={items}>
            <Icon name="more" />
        </Menu>
    );
}
