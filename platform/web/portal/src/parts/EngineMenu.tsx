/** Pages of the engine, for those who may see them. */
import { Menu, UnstyledButton } from '@mantine/core';
import { IconChevronDown } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { NavLink, useLocation } from 'react-router';

const PAGES = [
  { to: '/queue', key: 'queue', permission: 'study:read' },
  { to: '/models', key: 'models', permission: 'package:read' },
  { to: '/rules', key: 'rules', permission: 'package:manage' },
  { to: '/devices', key: 'devices', permission: 'package:read' },
] as const;

export function EngineMenu({ permissions }: { permissions: string[] }) {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  const pages = PAGES.filter((page) => permissions.includes(page.permission));
  if (pages.length === 0) return null;
  const active = pages.some((page) => pathname.startsWith(page.to));
  return (
    <Menu position="bottom-start">
      <Menu.Target>
        <UnstyledButton className={active ? 'en-nav active' : 'en-nav'}>
          {t('engine.nav.manage')} <IconChevronDown size={14} style={{ verticalAlign: -2 }} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component={NavLink} to="/packages" hiddenFrom="xs">
          {t('portal.nav.packages')}
        </Menu.Item>
        {pages.map((page) => (
          <Menu.Item key={page.to} component={NavLink} to={page.to}>
            {t(`engine.nav.${page.key}`)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
