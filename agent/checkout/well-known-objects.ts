/** Objects that are the same everywhere, and that a repository may name without having them. */

/** Git knows it without its object, and gc may take that away. */
export const EMPTY_TREE_OID = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

export const EMPTY_BLOB_OID = 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391';
